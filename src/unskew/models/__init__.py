"""Networks, one file each, behind one registry (`unskew.models.registry`)."""
