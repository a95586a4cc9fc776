"""Stand-ins for what an offline machine cannot have: each speaks the real protocol over HTTP."""
