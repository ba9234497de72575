"""What all HTML reports share: the page that loads nothing from elsewhere, tables, and plots inside the page.

Nothing here knows what a report says.
"""
