"""Networks for other programs: ONNX files, and files of torch.export.

Both take the small image and return the large one: bicubic upscaling is part of the exported network.
"""
