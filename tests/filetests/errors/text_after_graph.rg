; test error

graph g {
  %x = input : f32[2]
  return %x
}
%y = neg %x

; expect error
;   error: found `%`
;    --> errors/text_after_graph.rg:7:1
;     |
;   7 | %y = neg %x
;     | ^ expected the end of the text
