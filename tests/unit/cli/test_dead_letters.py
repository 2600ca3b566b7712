"""What a redrive is asked for on the command line, before any server is needed."""

import pytest
from click.testing import CliRunner

from inflect.cli.main import cli


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "1e-300"])
def test_a_rate_that_cannot_be_kept_is_refused(rate: str) -> None:
    result = CliRunner().invoke(cli, ["dead-letters", "redrive", "orders", "--all", "--rate", rate])
    assert result.exit_code == 2
    assert "--rate must be a number from 0.001 to 1,000,000" in result.output
