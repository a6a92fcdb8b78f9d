"""Approvals: the answers of people to calls that rules hold.

`terms` is what a rule demands, `key` what exactly is approved, `life` the table of states, `answers` who may
say yes; all pure. `store` and `redis` keep approvals, `desk` puts the steps in order.
"""
