"""MongoDB: documents, codec, stores, migrations, and a private server where none is configured."""
