"""Tables of users: files, what their columns are, and how these become features and labels."""
