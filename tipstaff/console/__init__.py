"""The console: the page where people see held calls and answer. A process of its own, a client of the decision service.

`requests` says what is taken at all, `sessions` who is logged in, `pages` what is shown; all pure. `app` puts
them together, and `service` asks the decision service.
"""
