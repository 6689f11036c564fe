; test error

graph g {
  %x = input : f32[2, 3]
  %y = neg %x : f32[3, 2]
  return %y
}

; expect error
;   error: found f32[3, 2]
;    --> errors/written_type.rg:5:17
;     |
;   5 |   %y = neg %x : f32[3, 2]
;     |        ------   ^^^^^^^^^ expected f32[2, 3]
;     |        |
;     |        this gives f32[2, 3]
