"""The first of the long passwords that others would try; shorter ones are refused by their length.

Lower case, without what is neither letter nor digit. Those that repeat a short piece are not here:
a rule refuses them.
"""

from typing import Final

COMMON: Final = frozenset(
    # As words, not as a list of strings: it is read and added to by people.
    """
    012345678910 012345678912 0987654321 09876543210 1029384756 10293847560 11223344556677
    1122334455667788 112233445566 12345678910 123456789101 1234567891011 123456789012
    12345678901234 123456789123 1234567890qwerty 1234567890abc 123456789abc 123456789qwe
    123456789qwerty 1234567qwertyu 123qweasdzxc 147258369 147258369147 1q2w3e4r5t6y
    1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qazxsw23edc 9876543210
    98765432109 987654321098 a1b2c3d4e5f6 aaaabbbbcccc abc123456789 abc123def456 abcd12345678
    abcdefg12345 abcdefgh1234 abcdefghijk abcdefghijkl abcdefghijklm abcdefghijklmn
    abcdefghijklmnop adminadmin administrateur administrator administrators asdf1234asdf
    asdfghjkl asdfghjkl123 asdfghjklqwertyuiop asdfghjklzxcvbnm azertyuiop azertyuiop123
    azertyuiopqs basketball bienvenue carbonmarket changeit changeme changemenow changemeplease
    changethis changethispassword chocolate contrasena correcthorsebatterystaple defaultpassword
    dragonball emissions enterpassword exchange forgetpassword helloworld iamtheadmin iloveyou
    iloveyousomuch internet internationalregistry itmo itmoexchange itmohub itmohubpassword
    itmosecretariat jesuschrist justletmein justinbieber letmein letmeinnow letmeinplease
    liverpoolfc loveyouforever manchester manchesterunited microsoft monkeymonkey motdepasse
    motdepasses mypassword mypasswordis mysecretpassword newpassword nopassword notapassword
    onetwothree onetwothreefour openopenopen opensesame parisagreement pass1word2 passphrase
    password passwordis passwordispassword passwordone passwort password1password2 p4ssw0rd
    p4ssword passw0rd pa55word pa55w0rd pokemon princess qazwsxedc qazwsxedcrfv qazwsxedcrfvtgb
    qwer1234asdf qwerasdfzxcv qwert12345 qwerty qwerty1234567 qwerty12345678 qwerty123456789
    qwertyuiop qwertyuiopasdf qwertyuiopasdfgh qwertyuiopasdfghjkl qwertyuiopasdfghjklzxcvbnm
    qwertzuiop qwertzuiopasdf registry secretariat secretpassword secretsecret security
    sonneschein spiderman starwars strongpassword summer sunshine superman superpassword superuser
    supersecret supersecretpassword systemadmin temporarypassword testtest testpassword
    thisisapassword thisismypassword thispassword trustnoone trustno1trustno1 unfccc
    unfcccsecretariat unitednations useruser veryverysecret volleyball welcome welcomehome
    welcometohub whatever winter yourpassword zaq12wsxcde3 zaq1xsw2cde3 zxcvbnm zxcvbnmasdfghjkl
    zxcvbnmasdfghjklqwertyuiop
    """.split()  # noqa: SIM905 - words are read and added to as words
)
