/// A total, typed expression language.
public enum Expressions {}
