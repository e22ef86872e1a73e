import emporion


def test_x() -> None:
    assert emporion
