"""Who acts: thin Faust agents and the gateways to payees' systems."""
