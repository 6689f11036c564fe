; test plan target=x86-64-v4
; test schedule target=x86-64-v4
; test check

; Keys and values are read where they lie: the windows of a pixel's neighbours are its own, moved by one.
graph neighbourhood_slides {
  %q = input : f32[1, 16, 9, 21]
  %k = input : f32[1, 16, 9, 21]
  %v = input : f32[1, 16, 9, 21]
  %row = weight : f32[3, 4]
  %column = weight : f32[3, 4]
  %a = neighbourhood_attention %q, %k, %v, %row, %column { heads = 2, size = 3, scale = 1.0, border = zero }
  %y = relu %a
  return %y
}

; expect plan target=x86-64-v4
;   plan neighbourhood_slides {
;     %10 = matmul [1, 378, 4] by [4, 3], constant %9 reading %q
;     %14 = matmul [1, 378, 4] by [4, 3], constant %13 reading %q
;     %21 = attend [378, 1, 9] over 8 values reading %10, %14, %v, %q, %k
;     %y = row [1, 3024] reading %21
;   }

; expect schedule target=x86-64-v4
;   schedule neighbourhood_slides for x86-64-v4 {
;     %10 matmul rows 96 panels 1 depth 4 mr 24 nv 1
;     %14 matmul rows 96 panels 1 depth 4 mr 24 nv 1
;     %21 slide rows 5 sums 8
;     %y row rows 1 inner 756
;   }

; expect check
;   %y within 1e-5 of the reference
