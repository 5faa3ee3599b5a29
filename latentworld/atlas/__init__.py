"""The atlas: a survey of the plane or the globe, its Lipschitz field, its rifts, and journeys planned by the map."""
