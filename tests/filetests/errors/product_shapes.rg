; test error

graph g {
  %a = input : f32[2, 3]
  %b = input : f32[4, 5]
  %y = matmul %a, %b
  return %y
}

; expect error
;   error: matmul has f32[2, 3] times f32[4, 5]
;    --> errors/product_shapes.rg:6:8
;     |
;   6 |   %y = matmul %a, %b
;     |        ^^^^^^^--^^--
;     |        |      |   |
;     |        |      |   this is f32[4, 5]
;     |        |      this is f32[2, 3]
;     |        expected 3 rows on the right, found 4
