"""Losses and class weights that take account of the class counts."""
