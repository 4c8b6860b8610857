"""How fast this machine is with a model, and which tiles it is fastest with."""
