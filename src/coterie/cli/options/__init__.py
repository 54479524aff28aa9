"""The options of each command, one file a command; nothing here imports torch, pandas or matplotlib."""
