; test error

graph g {
  %a = input : f32[2, 3]
  %b = input : f32[2]
  %y = add %a, %b
  return %y
}

; expect error
;   error: add has f32[2] beside [2, 3], which do not broadcast: from the last axis, dimensions must be equal or 1
;    --> errors/broadcast.rg:6:8
;     |
;   6 |   %y = add %a, %b
;     |        ^^^^--^^--
;     |            |   |
;     |            |   this is f32[2]
;     |            this is f32[2, 3]
