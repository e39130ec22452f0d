"""The cards of exported folders, written from the JSON files beside them."""
