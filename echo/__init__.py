"""TCP echo servers, one for each way of waiting, short enough to be read whole."""
