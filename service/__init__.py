"""The service: predict, catalogs, the review workflow, the register of institutions and the audit trail over HTTP."""
