"""How the models are made: data sets with partial labels, augmentation, the loss, the loop and the export."""
