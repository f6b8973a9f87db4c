"""The watch page: the state of a search in a browser on the same machine, from the file ``live.json`` in its folder."""
