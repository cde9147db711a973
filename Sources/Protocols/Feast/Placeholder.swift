/// The HTTP protocol of a Feast feature server.
public enum Feast {}
