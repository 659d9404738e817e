"""Networks and their parts: a net is an ``nn.Module`` built as ``Net(input_shape, out_features, head, ...)``."""
