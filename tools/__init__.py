"""Commands for those who change the repository; no part of the installed package."""
