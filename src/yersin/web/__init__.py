"""Shell, components, forms, languages and sign-in pages shared by every room."""
