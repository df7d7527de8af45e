"""Two series of one study agree in patient coordinates unless the patient moved: that is verified per vertebra."""

from spinemri.register.series import align_series
from spinemri.register.vertebra import align_vertebrae, inverse, motion_between, to_moving

__all__ = ["align_series", "align_vertebrae", "inverse", "motion_between", "to_moving"]
