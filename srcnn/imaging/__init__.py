"""Images as arrays: reading and writing files, colour, resizing, PSNR and SSIM.

Nothing here knows data sets or networks.
"""
