//! Charts, HTML and Markdown from a campaign and a decision.
