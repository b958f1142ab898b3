"""Tables that people bring and take away as files: CSV, TSV, XLSX, DBF. Text in, text out; no number passes a float."""
