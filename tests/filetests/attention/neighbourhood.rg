; test roundtrip
; test canonical
; test check

// Zeros around the map take part; relative terms by row and by column.
graph neighbourhood {
  %q = input : f32[1, 4, 3, 5]
  %k = input : f32[1, 4, 3, 5]
  %v = input : f32[1, 6, 3, 5]
  %row = weight : f32[3, 1]
  %column = weight : f32[3, 1]
  %y = neighbourhood_attention %q, %k, %v, %row, %column { heads = 2, size = 3, scale = 1.0, border = zero }
  return %y
}

; expect roundtrip
;   graph neighbourhood {
;     %q = input : f32[1, 4, 3, 5]
;     %k = input : f32[1, 4, 3, 5]
;     %v = input : f32[1, 6, 3, 5]
;     %row = weight : f32[3, 1]
;     %column = weight : f32[3, 1]
;     %y = neighbourhood_attention %q, %k, %v, %row, %column { heads = 2, size = 3, scale = 1.0, border = zero } : f32[1, 6, 3, 5]
;     return %y
;   }

; expect canonical
;   graph neighbourhood {
;     %q = input : f32[1, 4, 3, 5]
;     %k = input : f32[1, 4, 3, 5]
;     %v = input : f32[1, 6, 3, 5]
;     %row = weight : f32[3, 1]
;     %column = weight : f32[3, 1]
;     %5 = view %q { map = "[1, 2, 3, 5, 1, 2] of 60: 30*i1 + 15*i5 + 5*i2 + i3" } : f32[1, 2, 3, 5, 1, 2]
;     %6 = view %k { map = "[1, 2, 3, 5, 9, 2] of 60: (-1 + i2 + i4/3) in 3 * 5 + (-1 + i3 + i4%3) in 5 * 1 + 30*i1 + 15*i5 else 0.0" } : f32[1, 2, 3, 5, 9, 2]
;     %7 = scores %5, %6 : f32[1, 2, 3, 5, 1, 9]
;     %8 = const { value = 1.0 } : f32[1, 2, 3, 5, 1, 9]
;     %9 = mul %7, %8 : f32[1, 2, 3, 5, 1, 9]
;     %10 = view %q { map = "[1, 2, 3, 5, 1, 1] of 60: 30*i1 + 5*i2 + i3" } : f32[1, 2, 3, 5, 1, 1]
;     %11 = view %q { map = "[1, 2, 3, 5, 1, 1] of 60: 15 + 30*i1 + 5*i2 + i3" } : f32[1, 2, 3, 5, 1, 1]
;     %12 = view %row { map = "[1, 3] of 3: i1" } : f32[1, 3]
;     %13 = matmul %10, %12 : f32[1, 2, 3, 5, 1, 3]
;     %14 = view %column { map = "[1, 3] of 3: i1" } : f32[1, 3]
;     %15 = matmul %11, %14 : f32[1, 2, 3, 5, 1, 3]
;     %16 = view %13 { map = "[1, 2, 3, 5, 1, 9] of 90: 45*i1 + 15*i2 + 3*i3 + i5/3" } : f32[1, 2, 3, 5, 1, 9]
;     %17 = view %15 { map = "[1, 2, 3, 5, 1, 9] of 90: 45*i1 + 15*i2 + 3*i3 + i5%3" } : f32[1, 2, 3, 5, 1, 9]
;     %18 = add %16, %17 : f32[1, 2, 3, 5, 1, 9]
;     %19 = add %9, %18 : f32[1, 2, 3, 5, 1, 9]
;     %20 = view %v { map = "[1, 2, 3, 5, 9, 3] of 90: (-1 + i2 + i4/3) in 3 * 5 + (-1 + i3 + i4%3) in 5 * 1 + 45*i1 + 15*i5 else 0.0" } : f32[1, 2, 3, 5, 9, 3]
;     %21 = attend %19, %20 { axis = -1 } : f32[1, 2, 3, 5, 1, 3]
;     %y = view %21 { map = "[1, 6, 3, 5] of 90: 45*i1/3 + 15*i2 + 3*i3 + i1%3" } : f32[1, 6, 3, 5]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
