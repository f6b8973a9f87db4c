"""Pixels: reading and writing images, colour, resizing, PSNR and SSIM.

Nothing here knows a data set or a network.
"""
