"""DICOM and volume files in: headers to series, series to images."""
