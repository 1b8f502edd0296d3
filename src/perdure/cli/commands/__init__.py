"""The commands, a file each: `command.all_commands` finds what has a `COMMAND`."""
