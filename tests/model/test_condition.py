import torch

from privaudit.model.condition import Condition


def test_rows_are_taken_of_every_tensor_in_any_order_and_number() -> None:
    condition = Condition({"hidden": torch.arange(12).view(3, 2, 2), "label": torch.tensor([5, 6, 7])})
    taken = condition.rows([2, 0, 2, 1])
    assert set(taken) == {"hidden", "label"}
    assert taken["label"].tolist() == [7, 5, 7, 6]
    assert torch.equal(taken["hidden"], condition["hidden"][[2, 0, 2, 1]])


def test_a_condition_is_a_mapping_and_may_be_empty() -> None:
    assert dict(Condition({})) == {}
    assert not Condition({}).rows([])
