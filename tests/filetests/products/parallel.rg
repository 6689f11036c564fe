; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

; Queries, keys and values as three linears, with 3 heads of 5: one product gives all three.
graph parallel {
  %x = input : f32[2, 11, 15]
  %wq = weight : f32[15, 15]
  %wk = weight : f32[15, 15]
  %wv = weight : f32[15, 15]
  %bq = weight : f32[15]
  %bv = weight : f32[15]
  %1 = matmul %x, %wq
  %2 = add %1, %bq
  %3 = reshape %2 { shape = [2, 11, 3, 5] }
  %q = transpose %3 { order = [-2, -3, -1] }
  %4 = matmul %x, %wk
  %5 = reshape %4 { shape = [2, 11, 3, 5] }
  %k = transpose %5 { order = [-2, -3, -1] }
  %6 = matmul %x, %wv
  %7 = add %6, %bv
  %8 = reshape %7 { shape = [2, 11, 3, 5] }
  %v = transpose %8 { order = [-2, -3, -1] }
  %y = attention %q, %k, %v { scale = 0.447 }
  return %y
}

; expect optimize target=x86-64-v4
;   ; %y: 37 e-nodes, 6 iterations, saturated; unchanged
;   ; merge-parallel-products ×1
;   graph parallel {
;     %x = input : f32[2, 11, 15]
;     %wq = weight : f32[15, 15]
;     %wk = weight : f32[15, 15]
;     %wv = weight : f32[15, 15]
;     %bq = weight : f32[15]
;     %bv = weight : f32[15]
;     %6 = iota { axis = -1 } : i32[15, 45]
;     %7 = view %wq { map = "[15, 45] of 225: 15*i0 + i1%15 + (i1/15) in 1 * 0 else 0.0" } : f32[15, 45]
;     %8 = view %wk { map = "[15, 45] of 225: 15*i0 + i1%15 + (-1 + i1/15) in 1 * 0 else 0.0" } : f32[15, 45]
;     %9 = const { value = 15.0 } : i32[15, 45]
;     %10 = le %9, %6 : bool[15, 45]
;     %11 = select %10, %8, %7 : f32[15, 45]
;     %12 = view %wv { map = "[15, 45] of 225: 15*i0 + i1%15 + (-2 + i1/15) in 1 * 0 else 0.0" } : f32[15, 45]
;     %13 = const { value = 30.0 } : i32[15, 45]
;     %14 = le %13, %6 : bool[15, 45]
;     %15 = select %14, %12, %11 : f32[15, 45]
;     %16 = matmul %x, %15 : f32[2, 11, 45]
;     %17 = iota { axis = -1 } : i32[1, 45]
;     %18 = view %bq { map = "[1, 45] of 15: i1%15 + (i1/15) in 1 * 0 else 0.0" } : f32[1, 45]
;     %19 = const { value = 0.0 } : f32[1, 45]
;     %20 = const { value = 15.0 } : i32[1, 45]
;     %21 = le %20, %17 : bool[1, 45]
;     %22 = select %21, %19, %18 : f32[1, 45]
;     %23 = view %bv { map = "[1, 45] of 15: i1%15 + (-2 + i1/15) in 1 * 0 else 0.0" } : f32[1, 45]
;     %24 = const { value = 30.0 } : i32[1, 45]
;     %25 = le %24, %17 : bool[1, 45]
;     %26 = select %25, %23, %22 : f32[1, 45]
;     %27 = view %26 { map = "[2, 11, 45] of 45: i2" } : f32[2, 11, 45]
;     %28 = add %16, %27 : f32[2, 11, 45]
;     %q = view %28 { map = "[2, 3, 11, 5] of 990: 495*i0 + 45*i2 + 5*i1 + i3" } : f32[2, 3, 11, 5]
;     %v = view %28 { map = "[2, 3, 11, 5] of 990: 30 + 495*i0 + 45*i2 + 5*i1 + i3" } : f32[2, 3, 11, 5]
;     %k = view %28 { map = "[2, 3, 11, 5] of 990: 15 + 495*i0 + 45*i2 + 5*i1 + i3" } : f32[2, 3, 11, 5]
;     %32 = scores %q, %k : f32[2, 3, 11, 11]
;     %33 = const { value = 0.447 } : f32[2, 3, 11, 11]
;     %34 = mul %32, %33 : f32[2, 3, 11, 11]
;     %y = attend %34, %v { axis = -1 } : f32[2, 3, 11, 5]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan parallel {
;     %28 = matmul [1, 22, 15] by [15, 45], constant %15 reading %x, %26
;     %y = attend [6, 11, 11] over 5 values reading %28
;   }

; expect check
;   %y within 1e-5 of the reference
