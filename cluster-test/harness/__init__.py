"""What scenarios are built from: a RESP client, processes, clusters of them, networks to cut."""
