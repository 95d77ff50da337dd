"""The closed list of answers: every number belongs to a stage, and stages run in order."""

import pytest

from hub.protocol.response_codes import ResponseCode, Stage

REFUSALS = [code for code in ResponseCode if code is not ResponseCode.OK]


@pytest.mark.parametrize("code", REFUSALS, ids=lambda code: code.name)
def test_the_first_digit_of_a_code_is_its_stage(code: ResponseCode) -> None:
    """Whoever reads 6016 in a log knows that the authorization stage refused."""
    position = list(Stage).index(code.stage) + 1
    assert position * 1000 <= code < (position + 1) * 1000


def test_the_answer_that_nothing_is_wrong_belongs_to_no_stage() -> None:
    """``OK`` is not a refusal; to ask for its stage is our defect."""
    with pytest.raises(ValueError, match="OK belongs to no stage"):
        _ = ResponseCode.OK.stage


def test_the_list_is_in_the_order_of_the_stages_and_every_stage_has_codes() -> None:
    """The file reads as the checks run, and no number stands twice."""
    numbers = [int(code) for code in ResponseCode]
    assert numbers == sorted(set(numbers))
    assert len(ResponseCode.__members__) == len(numbers)
    assert {code.stage for code in REFUSALS} == set(Stage)
