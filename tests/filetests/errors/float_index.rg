; test error

graph g {
  %table = weight : f32[5, 3]
  %index = input : f32[2]
  %y = gather %table, %index
  return %y
}

; expect error
;   error: indices of gather are f32[2]
;    --> errors/float_index.rg:6:8
;     |
;   6 |   %y = gather %table, %index
;     |        ^^^^^^^------^^------
;     |        |      |       |
;     |        |      |       this is f32[2]
;     |        |      this is f32[5, 3]
;     |        expected i32
