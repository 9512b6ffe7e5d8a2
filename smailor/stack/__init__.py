"""The whole service from one private directory on one machine (`smailor up`)."""
