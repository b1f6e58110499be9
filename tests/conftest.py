"""What all tests share."""

from hypothesis import HealthCheck, settings

# On a busy machine an example may take long; that is no failure.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
