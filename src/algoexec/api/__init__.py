"""HTTP, WebSocket and SSE: who may ask, what they get, how it is said when it fails."""
