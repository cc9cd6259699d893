# The headers' plain comments, as doxygen wants them. Nothing in them is meant as markup; what is
# indented further than a paragraph, a table or code, keeps its lines.
/^[ \t]*\/\//{
  s/([<>@\\#&])/\\\1/g
  s|^([ \t]*)//|\1///|
  s|^([ \t]*)///   +|\1///         |
  b
}
# A comment after a declaration, on its line.
s|([;,{}] +)// (.*)$|\1///< \2|
