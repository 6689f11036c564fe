; test error

graph g {
  %x = input : f32[4, 6]
  %y = reshape %x { shape = [5, 5] }
  return %y
}

; expect error
;   error: reshape of f32[4, 6] to f32[5, 5] has 25 elements
;    --> errors/reshape_count.rg:5:8
;     |
;   5 |   %y = reshape %x { shape = [5, 5] }
;     |        ^^^^^^^^--^^^^^^^^^^^^^^^^^^^
;     |        |       |
;     |        |       this is f32[4, 6]
;     |        expected 24
