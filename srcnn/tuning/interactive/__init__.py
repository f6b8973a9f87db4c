"""Searches from Python and notebooks: start one, watch it, and look at what it found.

The functions are `srcnn.tuning.search` and `srcnn.tuning.open_search`. Nothing here trains, chooses or measures.
"""

import logging
import warnings

# The display of a search is its own, so ipywidgets is not needed for it. In a notebook, Ray and tqdm ask for it when imported.
logging.getLogger("ray.widgets").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="IProgress not found")
