"""The command line. Heavy modules are loaded by the command that needs them."""

from matchkeeper.cli.streams import open_standard_streams

open_standard_streams()  # before any module looks at them
