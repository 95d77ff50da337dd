"""May this message have effect? Pure checks in an ordered list.

``facts``          everything a check may see, and the context of one message.
``case``           one message with what its checks share: its ends, its lots, what governs them.
``findings``       a finding, and its form on the wire.
``rulebook``       for every response code its paragraph, text and remedy, as dated data.
``participants``   2xxx: who may say what to whom.
``content``        3xxx: the message against itself and the code lists.
``sequence``       4xxx: what came before; recognising a repeat.
``underlying``     underlying units, and how two statements of them clash.
``units``          50xx: the central ledger.
``accounts``       51xx: accounts of the international registry.
``authorization``  6xxx: scope, validity and cap of authorizations.
``records``        6xxx: recording approaches, authorizations and entities.
``article6``       7xxx: first transfer, vintage, NDC period, metric, OIMP.
``article64``      7xxx: A6.4ERs and the shares of their issuance.
``policy``         8xxx: the operator's limits.
``decision``       the table of checks by message type, and the examination.
"""
