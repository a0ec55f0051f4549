"""Reports: each turns a study into a JSON object, tables and figures. The smallest is `consistency`."""
