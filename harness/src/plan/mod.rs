//! What a campaign will measure: candidates, scenarios, constraints; from flags or TOML, validated.
